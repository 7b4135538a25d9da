import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { redactTail } from './redact.ts';

describe('redacting output', () => {
  for (const [text, shown] of [
    ['max_id\t1000000', 'max_id\t1000000'],
    ['mysql --user=root --password=s3cret -e x', 'mysql --user=root --password=[redacted] -e x'],
    ['MARIADB_ROOT_PASSWORD="a b c" next', 'MARIADB_ROOT_PASSWORD=[redacted] next'],
    ["CREATE USER x IDENTIFIED BY 'pw' REQUIRE SSL", 'CREATE USER x IDENTIFIED BY [redacted] REQUIRE SSL'],
    ['Authorization: Bearer abc.def', 'Authorization: [redacted]'],
    ['postgres://app:pw@db/shop', 'postgres://app:[redacted]@db/shop'],
    ['{"apiKey": "abc"}', '{"apiKey": [redacted]}'],
    ['mysql -uroot -ps3cret db', 'mysql -uroot -p[redacted] db'],
    ['listening -p5432', 'listening -p5432'],
    ['a\u001b[31mred\u0000', 'a[31mred'],
  ] as const) {
    it(`shows ${JSON.stringify(text)} as ${JSON.stringify(shown)}`, () => assert.equal(redactTail(text, 2048), shown));
  }

  it('keeps the end, never half a character', () => {
    assert.equal(redactTail('aééé', 3), 'é');
    assert.equal(Buffer.byteLength(redactTail('x'.repeat(5000), 2048)), 2048);
  });
});
