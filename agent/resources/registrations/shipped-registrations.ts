/**
 * How well-known operators' applications are suspended: what Stork ships as ApplicationRegistrations, built in here. An
 * ApplicationRegistration in the cluster that names the same group and kind takes its place. Kinds without an entry travel
 * too, as they are.
 */
import type { RegisteredResource, SuspendOptions } from '../../../crds/v1alpha1/index.ts';

function registered(
  group: string,
  version: string,
  kind: string,
  more: Pick<RegisteredResource, 'suspendOptions' | 'podsPath'> = {},
): RegisteredResource {
  return { group, version, kind, keepStatus: false, ...more };
}

const int = (path: string): { readonly suspendOptions: SuspendOptions } => ({
  suspendOptions: { path, type: 'int', value: '0' },
});
const bool = (path: string): { readonly suspendOptions: SuspendOptions } => ({
  suspendOptions: { path, type: 'bool', value: 'true' },
});
const text = (path: string, value: string): { readonly suspendOptions: SuspendOptions } => ({
  suspendOptions: { path, type: 'string', value },
});

export const shippedRegistrations: readonly RegisteredResource[] = [
  registered('ibp.com', 'v1beta1', 'IBPCA', int('spec.replicas')),
  registered('ibp.com', 'v1beta1', 'IBPConsole', int('spec.replicas')),
  registered('ibp.com', 'v1beta1', 'IBPOrderer', int('spec.replicas')),
  registered('ibp.com', 'v1beta1', 'IBPPeer', int('spec.replicas')),
  registered('couchbase.com', 'v2', 'CouchbaseCluster', {
    ...bool('spec.paused'),
    podsPath: 'status.members.ready',
  }),
  registered('cassandra.datastax.com', 'v1beta1', 'CassandraDatacenter', bool('spec.stopped')),
  registered('app.redislabs.com', 'v1', 'RedisEnterpriseCluster'),
  registered('app.redislabs.com', 'v1alpha1', 'RedisEnterpriseDatabase'),
  registered('weblogic.oracle', 'v8', 'Domain', text('spec.serverStartPolicy', 'NEVER')),
  registered('rabbitmq.com', 'v1beta1', 'RabbitmqCluster', int('spec.replicas')),
  registered('pxc.percona.com', 'v1', 'PerconaXtraDBCluster', bool('spec.pause')),
  registered('monitoring.coreos.com', 'v1', 'Prometheus', int('spec.replicas')),
  registered('kafka.strimzi.io', 'v1beta2', 'Kafka', int('spec.kafka.replicas')),
  registered('acid.zalan.do', 'v1', 'postgresql', int('spec.numberOfInstances')),
  registered('mongodbcommunity.mongodb.com', 'v1', 'MongoDBCommunity', int('spec.members')),
  registered('kubevirt.io', 'v1', 'VirtualMachine', text('spec.runStrategy', 'Halted')),
];
