/** For tests: JSON that may say what JSON.stringify never writes: a key twice, numbers of any size, bytes that are no UTF-8. */

export type JsonText =
  | { readonly is: 'raw'; readonly text: string }
  | { readonly is: 'list'; readonly items: JsonText[] }
  | { readonly is: 'object'; readonly members: [key: string, value: JsonText][] };

export const raw = (text: string): JsonText => ({ is: 'raw', text });

export function jsonText(value: unknown): JsonText {
  if (Array.isArray(value)) return { is: 'list', items: value.map(jsonText) };
  if (typeof value === 'object' && value !== null)
    return { is: 'object', members: Object.entries(value).map(([key, one]) => [key, jsonText(one)]) };
  return raw(JSON.stringify(value));
}

/** Characters are bytes. */
export function writeJson(json: JsonText): string {
  switch (json.is) {
    case 'raw':
      return json.text;
    case 'list':
      return `[${json.items.map(writeJson).join()}]`;
    case 'object':
      return `{${json.members.map(([key, value]) => `"${key}":${writeJson(value)}`).join()}}`;
    default:
      return json satisfies never;
  }
}

/** Every list and object in it, itself too. */
export function* containersOf(json: JsonText): Generator<Exclude<JsonText, { is: 'raw' }>> {
  if (json.is === 'raw') return;
  yield json;
  for (const one of json.is === 'list' ? json.items : json.members.map(([, value]) => value)) yield* containersOf(one);
}
