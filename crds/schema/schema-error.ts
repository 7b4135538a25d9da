/**
 * A value that does not fit its schema: every place that is wrong, by path. kube wraps it into a StorkError `InvalidField`.
 */
export interface SchemaIssue {
  /** Where, as the API server writes it: `spec.rules[0].actions[1].type`. Empty for the value itself. */
  readonly path: string;
  /** What is wrong and what is allowed; never the value of a string that could be a secret. */
  readonly message: string;
}

export class SchemaError extends Error {
  override readonly name = 'SchemaError';
  readonly issues: readonly SchemaIssue[];
  /** The first issue's path. */
  readonly path: string;

  constructor(issues: readonly SchemaIssue[]) {
    super(issues.map((issue) => (issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)).join('; '));
    this.issues = issues;
    this.path = issues[0]?.path ?? '';
  }
}
