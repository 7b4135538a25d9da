/** kubectl's own flags, understood by every command of ours. Names and meanings are cli-runtime's. */
import { text, texts, toggle } from './flag.ts';

export const globalFlags = {
  as: text({ describes: 'Username to impersonate.' }),
  'as-group': texts({ describes: 'Group to impersonate; may be repeated.' }),
  'as-uid': text({ describes: 'UID to impersonate.' }),
  'certificate-authority': text({ describes: 'Path to a certificate file of the authority.' }),
  'client-certificate': text({ describes: 'Path to a client certificate file for TLS.' }),
  'client-key': text({ describes: 'Path to a client key file for TLS.' }),
  cluster: text({ describes: 'The kubeconfig cluster to use.' }),
  context: text({ describes: 'The kubeconfig context to use.', completes: 'Contexts' }),
  help: toggle({ describes: 'Help for the command.', short: 'h' }),
  'insecure-skip-tls-verify': toggle({ describes: "Don't check the server's certificate." }),
  kubeconfig: text({ describes: 'Path to the kubeconfig file.' }),
  namespace: text({ describes: 'The namespace of this request.', short: 'n', completes: 'Namespaces' }),
  'request-timeout': text({ describes: 'How long one request may take, e.g. 10s; 0 is no limit.', default: '0' }),
  server: text({ describes: 'Address and port of the API server.', short: 's' }),
  'tls-server-name': text({ describes: "Name to check the server's certificate for." }),
  token: text({ describes: 'Bearer token for the API server.' }),
  user: text({ describes: 'The kubeconfig user to use.' }),
  v: text({ describes: 'Accepted as kubectl does; no effect yet.', default: '0' }),
} as const;
