/**
 * Any other kind: its status stays behind unless its ApplicationRegistration says keepStatus, and the fields that the
 * registration names for suspending are set, the old values kept in annotations.
 */
import type { AnyObject } from '../../../kube/client/client.ts';
import { removeField } from '../fields.ts';
import { findRegistration, stoppingFields } from '../registrations/suspend-options.ts';
import { suspendField } from './suspend-field.ts';
import type { Transform } from './transform-context.ts';

export const transformCustomResource: Transform = (object, context) => {
  const registration = findRegistration(object, context.registrations);
  const bare = registration?.keepStatus === true ? object : removeField(object, ['status']);
  return stoppingFields(registration).reduce<AnyObject>(
    (current, { path, stopping }) => suspendField(current, path, stopping),
    bare,
  );
};
