import { core } from '../../kube/client/core.ts';
import { systemClock } from '../../kube/clock.ts';
import { fakeApiServer } from '../../kube/fake/fake-api-server.ts';
import { describeResources } from './resources.suite.ts';

const clock = systemClock();
const client = fakeApiServer({ clock }).client();
let count = 0;

describeResources('the fake', () => ({
  client,
  clock,
  checks: 'Objects',
  async freshNamespace() {
    count += 1;
    const name = `t${count}`;
    await client.create(core.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  },
}));
