/** The Job controller: one pod at a time until one succeeds, or until its containers were restarted too often. */
import type { KubeClient } from '../../kube/client/client.ts';
import { core, type Job, type Pod } from '../../kube/client/core.ts';

export interface JobController {
  /** @throws ApiError when somebody changed what was read */
  control(job: Job, pods: readonly Pod[]): Promise<void>;
}

export function createJobController(parts: {
  readonly client: KubeClient;
  readonly restartsOf: (pod: Pod) => number;
  readonly chooseNode: () => string | undefined;
}): JobController {
  const { client } = parts;
  const end = async (job: Job, type: 'Complete' | 'Failed'): Promise<void> => {
    const body = { status: { conditions: [{ type, status: 'True' }] } };
    await client.patch(core.jobs, job.metadata, { type: 'merge', body }, { subresource: 'status' });
  };
  return {
    async control(job, pods) {
      if (job.metadata.deletionTimestamp !== undefined || (job.status?.conditions ?? []).length > 0) return;
      const own = pods.filter(
        (pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid) === true,
      );
      if (own.some(({ status }) => status?.phase === 'Succeeded')) return await end(job, 'Complete');
      const restarts = own.reduce((sum, pod) => sum + parts.restartsOf(pod), 0);
      if (restarts > (job.spec?.backoffLimit ?? 6)) {
        for (const pod of own) await client.delete(core.pods, pod.metadata);
        return await end(job, 'Failed');
      }
      if (own.some(({ metadata }) => metadata.deletionTimestamp === undefined)) return;
      const nodeName = parts.chooseNode();
      if (nodeName !== undefined) await client.create(core.pods, podOf(job, nodeName));
    },
  };
}

function podOf(job: Job, nodeName: string): Pod {
  const template = job.spec?.template;
  const { name, namespace = '', uid = '' } = job.metadata;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      generateName: `${name}-`,
      namespace,
      labels: { ...template?.metadata?.labels, 'batch.kubernetes.io/job-name': name },
      ownerReferences: [owner],
    },
    spec: { ...template?.spec, containers: template?.spec?.containers ?? [], nodeName },
  };
}
