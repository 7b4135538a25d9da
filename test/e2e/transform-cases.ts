/** What transform.test.ts transforms: the application, rules that fit it, rules that do not, and where the difference shows. */
import type { CustomKind } from './custom-kinds.ts';

export const namespace = 'reshape';
export const widget: CustomKind = {
  group: 'transform.stork.test',
  kind: 'Widget',
  plural: 'widgets',
  versions: ['v1'],
  spec: {
    loud: { type: 'boolean' },
    size: { type: 'integer', maximum: 10 },
    colours: { type: 'array', items: { type: 'string' } },
  },
};

const path = (operation: string, where: string, value?: string, type = 'string') => ({
  ...{ operation, path: where, type },
  ...(value === undefined ? {} : { value }),
});

export const good = [
  {
    resource: '/v1/Service',
    selectors: { app: 'web' },
    paths: [
      path('modify', 'spec.type', 'NodePort'),
      path('modify', '/spec/ports/0/port', '8080', 'int'),
      path('add', '/metadata/labels/app.kubernetes.io~1part-of', 'west'),
    ],
  },
  {
    resource: 'apps/v1/Deployment',
    paths: [
      path('modify', 'spec.replicas', '3', 'int'),
      path('delete', 'spec.template.metadata.annotations.note'),
      path(
        'jsonpatch',
        '/spec/template/spec',
        '[{"op":"add","path":"/containers/0/env","value":[{"name":"REGION","value":"west"}]}]',
      ),
    ],
  },
  {
    resource: 'apps/v1/StatefulSet',
    paths: [path('modify', 'spec.template.spec.terminationGracePeriodSeconds', '5', 'int')],
  },
  { resource: 'batch/v1/CronJob', paths: [path('modify', 'spec.schedule', '30 5 * * *')] },
  { resource: 'networking.k8s.io/v1/Ingress', paths: [path('modify', '/spec/rules/0/host', 'west.example.com')] },
  {
    resource: '/v1/ConfigMap',
    selectors: { app: 'web' },
    paths: [path('modify', 'data', 'region:west,tier:gold', 'keypair'), path('delete', 'data.old')],
  },
  { resource: '/v1/Secret', paths: [path('add', 'data.token', 'd2VzdA==')] },
  {
    resource: 'policy/v1/PodDisruptionBudget',
    paths: [path('delete', 'spec.minAvailable'), path('add', 'spec.maxUnavailable', '1', 'int')],
  },
  {
    resource: 'rbac.authorization.k8s.io/v1/Role',
    paths: [path('modify', '/rules/0/verbs', 'list,watch', 'slice')],
  },
  {
    resource: `${widget.group}/v1/Widget`,
    paths: [
      path('modify', 'spec.loud', 'true', 'bool'),
      path('modify', 'spec.colours', 'blue', 'slice'),
      path('add', '/spec/colours/0', 'first'),
    ],
  },
  {
    resource: '/v1/PersistentVolumeClaim',
    paths: [path('add', 'metadata.labels.region', 'west'), path('modify', 'spec.storageClassName', 'stork-csi-wffc')],
  },
];

export const bad: readonly { readonly what: string; readonly spec: object; readonly message: RegExp }[] = [
  {
    what: 'a value that the API server refuses',
    spec: { resource: '/v1/Service', paths: [path('modify', 'spec.type', 'Telephone')] },
    message: /1 of 1 objects do not fit: Service web: .*Unsupported value: "Telephone"/,
  },
  {
    what: 'an unknown field',
    spec: { resource: 'apps/v1/Deployment', paths: [path('add', 'spec.colour', 'red')] },
    message: /do not fit: Deployment web: .*unknown field "spec.colour"/,
  },
  {
    what: 'what the schema of a custom kind forbids',
    spec: { resource: `${widget.group}/v1/Widget`, paths: [path('modify', 'spec.size', '11', 'int')] },
    message: /do not fit: Widget bell: .*spec.size.*less than or equal to 10/,
  },
  {
    what: 'a patch whose test fails',
    spec: {
      resource: '/v1/ConfigMap',
      paths: [path('jsonpatch', '/', '[{"op":"test","path":"/data/region","value":"south"}]')],
    },
    message: /do not fit: ConfigMap (settings|other): .*does not fit it: .*\/data\/region/,
  },
  {
    what: 'a kind that nobody serves',
    spec: { resource: 'nobody.example.com/v1/Thing', paths: [path('add', 'spec.a', 'b')] },
    message: /this cluster serves no nobody\.example\.com\/v1\/Thing/,
  },
  {
    what: 'an identity',
    spec: { resource: '/v1/ConfigMap', paths: [path('modify', 'metadata.namespace', 'kube-system')] },
    message: /specs\.transformSpecs\[0\]\.paths\[0\]: .*metadata/,
  },
  {
    what: 'the size of a claim',
    spec: {
      resource: '/v1/PersistentVolumeClaim',
      paths: [path('modify', '/spec/resources/requests/storage', '1Mi')],
    },
    message: /of a PersistentVolumeClaim only \/metadata\/labels/,
  },
];

/** kubectl's object and path, and what is there on a and on b. */
export const looks: readonly (readonly [args: readonly string[], path: string, here: string, there: string])[] = [
  [['service', 'web'], '.spec.type', 'ClusterIP', 'NodePort'],
  [['service', 'web'], '.spec.ports[0].port', '80', '8080'],
  [['service', 'web'], '.metadata.labels.app\\.kubernetes\\.io/part-of', '', 'west'],
  [['deployment', 'web'], '.spec.replicas', '1', '0'],
  [['deployment', 'web'], '.spec.template.metadata.annotations.note', 'from a', ''],
  [['deployment', 'web'], '.spec.template.spec.containers[0].env[0].value', '', 'west'],
  [['cronjob', 'report'], '.spec.schedule', '0 4 * * *', '30 5 * * *'],
  [['cronjob', 'report'], '.spec.suspend', 'false', 'true'],
  [['ingress', 'web'], '.spec.rules[0].host', 'east.example.com', 'west.example.com'],
  [['configmap', 'settings'], '.data', '{"old":"1","region":"east"}', '{"region":"west","tier":"gold"}'],
  [['configmap', 'other'], '.data', '{"region":"east"}', '{"region":"east"}'],
  [['secret', 'keys'], '.data.token', '', 'd2VzdA=='],
  [['pdb', 'web'], '.spec.maxUnavailable', '', '1'],
  [['role', 'reader'], '.rules[0].verbs', '["get"]', '["get","list","watch"]'],
  [
    ['widgets', 'bell'],
    '.spec',
    '{"colours":["red"],"size":3}',
    '{"colours":["first","red","blue"],"loud":true,"size":3}',
  ],
  [['pvc', 'notes'], '.metadata.labels.region', '', 'west'],
  [['pvc', 'notes'], '.metadata.annotations.stork\\.libopenstorage\\.org/resourcetransformation-name', '', 'west'],
  [['pvc', 'notes'], '.spec.storageClassName', 'stork-csi', 'stork-csi-wffc'],
];

const pod = `
      terminationGracePeriodSeconds: 0
      containers: [{ name: a, image: stork.test/toolbox:1, imagePullPolicy: IfNotPresent, command: [sleep, "100000"] }]`;

export const application = `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: ${namespace}, labels: { app: web } }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: ${namespace}, labels: { app: web } }
data: { region: east, old: "1" }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: other, namespace: ${namespace} }
data: { region: east }
---
apiVersion: v1
kind: Secret
metadata: { name: keys, namespace: ${namespace} }
data: { key: ZWFzdA== }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: notes, namespace: ${namespace} }
spec: { accessModes: [ReadWriteOnce], storageClassName: stork-csi, resources: { requests: { storage: 64Mi } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: ${namespace} }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web }, annotations: { note: from a } }
    spec:${pod}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store, namespace: ${namespace} }
spec:
  replicas: 0
  serviceName: store
  selector: { matchLabels: { app: store } }
  template:
    metadata: { labels: { app: store } }
    spec:${pod}
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: report, namespace: ${namespace} }
spec:
  schedule: 0 4 * * *
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{ name: a, image: stork.test/toolbox:1 }]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, namespace: ${namespace} }
spec:
  rules:
    - host: east.example.com
      http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }] }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web, namespace: ${namespace} }
spec: { minAvailable: 1, selector: { matchLabels: { app: web } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: reader, namespace: ${namespace} }
rules: [{ apiGroups: [""], resources: [pods], verbs: [get] }]
---
apiVersion: ${widget.group}/v1
kind: Widget
metadata: { name: bell, namespace: ${namespace} }
spec: { size: 3, colours: [red] }
`;
