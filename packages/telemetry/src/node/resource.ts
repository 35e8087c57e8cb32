import { assertObject, OptionsError } from '@macadam/core';
import {
  defaultResource,
  detectResources,
  hostDetector,
  processDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { type Environment, pairsFrom } from './environment.ts';

export type { Resource };

/**
 * The resource that all telemetry is attributed to. Options win over environment variables, and those over what is
 * detected.
 */
export interface ServiceIdentity {
  /** The attribute `service.name`. */
  serviceName: string;
  /** The attribute `service.version`. Default: by the environment variables, else none. */
  serviceVersion?: string;
  /**
   * The attribute `deployment.environment.name`, such as `production`. Default: by the environment variables, else
   * none.
   */
  environment?: string;
  /**
   * More attributes of the resource. They are on everything that is sent: put nothing personal or secret there.
   * Default: none.
   */
  resource?: Readonly<Record<string, string | number | boolean>>;
}

/** Any name that is not empty. */
const ATTRIBUTE_NAME = /./;

export function serviceResource(identity: ServiceIdentity, env: Environment): Resource {
  const detected = detectResources({
    detectors: [hostDetector, processDetector, serviceInstanceIdDetector],
  });
  const configured = resourceFromAttributes(pairsFrom(env, 'OTEL_RESOURCE_ATTRIBUTES', ATTRIBUTE_NAME));
  const own = resourceFromAttributes({
    'service.name': identity.serviceName,
    ...(identity.serviceVersion !== undefined && { 'service.version': identity.serviceVersion }),
    ...(identity.environment !== undefined && { 'deployment.environment.name': identity.environment }),
    ...identity.resource,
  });
  // The process detector finds the command line, which can contain passwords.
  const withoutCommandLine = resourceFromAttributes(
    Object.fromEntries(Object.entries(detected.attributes).filter(([name]) => !name.startsWith('process.command'))),
  );
  return defaultResource().merge(withoutCommandLine).merge(configured).merge(own);
}

/** @throws OptionsError for an attribute whose type OTLP does not support. */
export function assertResource(where: string, resource: object): void {
  assertObject(where, resource);
  for (const [name, value] of Object.entries(resource)) {
    if (value === undefined || ['string', 'number', 'boolean'].includes(typeof value)) continue;
    throw new OptionsError(`${where}.${name}`, value, 'a string, a number or a boolean');
  }
}
