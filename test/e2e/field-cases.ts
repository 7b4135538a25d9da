/** What migration-fields.test.ts migrates: on a an application with one object for each field, on b what was there before. */

export const main = 'fields';
/** By their labels; the last has none that is asked for. */
export const labelled = { red: 'fields-red', blue: 'fields-blue', green: 'fields-green' } as const;
export const crowd = Array.from({ length: 10 }, (_, at) => `fields-crowd-${at}`);
export const clusterRole = 'stork-test-fields';

export const kinds =
  'configmaps,services,endpoints,networkpolicies,serviceaccounts,deployments,statefulsets,cronjobs,jobs,limitranges,poddisruptionbudgets,persistentvolumeclaims';

const pod = `{ terminationGracePeriodSeconds: 0, containers: [{ name: a, image: "stork.test/toolbox:1", imagePullPolicy: IfNotPresent, command: [sleep, "100000"] }] }`;
const skip = 'annotations: { stork.libopenstorage.org/skip-resource: "true" }';
const claimSpec =
  'spec: { accessModes: [ReadWriteOnce], storageClassName: stork-csi, resources: { requests: { storage: 64Mi } } }';

const namespaceOf = (name: string, labels = '{}') =>
  `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${name}, labels: ${labels} }\n---\n`;
const settingsOf = (namespace: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: settings, namespace: ${namespace} }\ndata: { of: ${namespace} }\n---\n`;

const others = [
  namespaceOf(labelled.red, '{ team: red }'),
  namespaceOf(labelled.blue, '{ tier: blue }'),
  namespaceOf(labelled.green),
  ...crowd.map((name) => namespaceOf(name, '{ crowd: "yes" }')),
  ...[...Object.values(labelled), ...crowd].map(settingsOf),
].join('');

/** Its objects with the label `part: two` are those of the second migration. */
export const application = `${others}${namespaceOf(main)}${settingsOf(main)}apiVersion: v1
kind: ConfigMap
metadata: { name: aged, namespace: ${main}, labels: { age: old } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: skipped, namespace: ${main}, ${skip} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: skipped-before, namespace: ${main}, annotations: { stork.libopenstorage.org/skipresource: "true" } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: two, namespace: ${main}, labels: { part: two } }
data: { of: first }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: scratch, namespace: ${main}, ${skip} }
${claimSpec}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: aged, namespace: ${main}, labels: { age: old } }
${claimSpec}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store, namespace: ${main} }
spec:
  replicas: 1
  serviceName: store
  selector: { matchLabels: { app: store } }
  template:
    metadata: { labels: { app: store } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: a
          image: stork.test/toolbox:1
          imagePullPolicy: IfNotPresent
          command: [sh, -c, "echo kept > /data/file; sleep 100000"]
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      ${claimSpec}
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: ${main}, labels: { app: web } }
spec: { replicas: 2, selector: { matchLabels: { app: web } }, template: { metadata: { labels: { app: web } }, spec: ${pod} } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: starter, namespace: ${main}, labels: { part: two } }
spec: { replicas: 1, selector: { matchLabels: { app: starter } }, template: { metadata: { labels: { app: starter } }, spec: ${pod} } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: report, namespace: ${main} }
spec: { schedule: "0 4 1 1 *", jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: "stork.test/toolbox:1" }] } } } } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: as-it-is, namespace: ${labelled.red}, annotations: { stork.libopenstorage.org/skip-modify-resource: "true" } }
spec: { schedule: "0 4 1 1 *", jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: "stork.test/toolbox:1" }] } } } } }
---
apiVersion: batch/v1
kind: Job
metadata: { name: once, namespace: ${main}, labels: { part: two } }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: a, image: "stork.test/toolbox:1", imagePullPolicy: IfNotPresent, command: ["true"] }] } } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: ${main} }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: external, namespace: ${main} }
spec: { ports: [{ port: 5432 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: external, namespace: ${main} }
subsets: [{ addresses: [{ ip: 192.0.2.1 }], ports: [{ port: 5432 }] }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: labels, namespace: ${main} }
spec: { podSelector: { matchLabels: { app: none } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: web } } }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: cidr, namespace: ${main}, labels: { part: two } }
spec: { podSelector: { matchLabels: { app: none } }, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }] }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: worker, namespace: ${main}, annotations: { team: a } }
imagePullSecrets: [{ name: registry-a }]
automountServiceAccountToken: false
---
apiVersion: v1
kind: LimitRange
metadata: { name: limits, namespace: ${main} }
spec: { limits: [{ type: PersistentVolumeClaim, max: { storage: 10Gi } }] }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web, namespace: ${main} }
spec: { minAvailable: 1, selector: { matchLabels: { app: web } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: ${clusterRole} }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get, list] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: ${clusterRole} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${clusterRole} }
subjects: [{ kind: ServiceAccount, name: worker, namespace: ${main} }]
`;

/**
 * No `---` between: kubectl takes what begins with a brace for JSON, and what it has read by then decides whether that still works.
 */
const documentsOf = (objects: readonly object[]): string =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join('');

/** Services whose owner is a Deployment that travels; `kept` says that it travels none the less. */
export const ownedServices = (ownerUid: string): string =>
  documentsOf(
    [
      { name: 'owned', labels: { part: 'two' } },
      { name: 'kept', annotations: { 'stork.libopenstorage.org/skip-owner-ref-check': 'true' } },
    ].map((metadata) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        ...metadata,
        namespace: main,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: ownerUid }],
      },
      spec: { clusterIP: 'None', selector: { app: 'web' }, ports: [{ port: 81 }] },
    })),
  );

export const addressRangeName = 'stork-test-fields';
/** On b: the range that the address is of, which a gave. */
export const addressRange = (address: string): string =>
  `apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: { name: ${addressRangeName} }
spec: { cidrs: [${address.replace(/\d+$/, '0')}/24] }
`;
/** A Service whose address the second migration keeps. */
export const fixedService = (address: string): string =>
  `apiVersion: v1
kind: Service
metadata: { name: fixed, namespace: ${main}, labels: { part: two } }
spec: { clusterIP: ${address}, ports: [{ port: 80 }] }
`;

/** On b before the first migration: nobody's business but b's. */
export const foreigners = `${namespaceOf(main)}apiVersion: v1
kind: ConfigMap
metadata: { name: foreign, namespace: ${main} }
data: { of: b }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: worker, namespace: ${main}, annotations: { owner: b } }
imagePullSecrets: [{ name: registry-b }]
`;

/** Rules beside the Migration; each leaves its name in the pods of `web`. */
export const traceRules = (namespace: string): string =>
  documentsOf(
    ['fields-before', 'fields-after'].map((name) => ({
      apiVersion: 'stork.libopenstorage.org/v1alpha1',
      kind: 'Rule',
      metadata: { name, namespace },
      rules: [{ podSelector: { app: 'web' }, actions: [{ type: 'command', value: `echo ${name} >> /tmp/trace` }] }],
    })),
  );
