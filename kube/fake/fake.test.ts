/** The fake passes the suite that the real API server passes. */
import { describeKubeClient } from '../client/conformance/describe-kube-client.ts';
import { manualClock } from '../clock.ts';
import { fakeApiServer } from './fake-api-server.ts';

const powerlessUser = 'nobody';

describeKubeClient('the fake', async () => {
  const server = fakeApiServer({
    clock: manualClock(),
    authorize: ({ identity }) => (identity.user === powerlessUser ? 'Deny' : 'Allow'),
  });
  const client = server.client();
  return { client, powerlessUser, expireHistory: server.expireHistory, close: async () => client.close() };
});
