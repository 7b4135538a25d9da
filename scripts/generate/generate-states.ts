/** docs/states/NAME.md for each stage table of the agent. The machines are made over services that are never called. */
import { activationMachine } from '../../agent/activation/activation-machine.ts';
import { migrationMachine } from '../../agent/migration/source/migration-machine.ts';
import { transformationMachine } from '../../agent/transformation/transformation-machine.ts';
import type { MachineTable } from '../../kube/runtime/machine.ts';
import { machineToMarkdown } from '../../kube/runtime/machine-docs.ts';
import type { Generator } from '../generate.ts';

export function generateStates(): Generator {
  const machines: readonly MachineTable[] = [
    migrationMachine(assertNeverCalled()),
    activationMachine(assertNeverCalled()),
    transformationMachine(assertNeverCalled()),
  ];
  return {
    name: 'states',
    owns: { folder: 'docs/states', ending: '.md' },
    generate: () => new Map(machines.map((machine) => [`docs/states/${machine.name}.md`, machineToMarkdown(machine)])),
  };
}

/** Drawing a table calls no stage, so what stages call is never touched; anything that does is told so. */
function assertNeverCalled<Services extends object>(): Services {
  const refuse = () => {
    throw new TypeError('a machine that is only drawn called its services');
  };
  return new Proxy({}, { get: refuse }) as Services;
}
