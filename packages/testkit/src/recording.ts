import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RecordingError } from './errors.ts';

/** A recorded body: `text`, or `base64` if it is not text. */
export type RecordedBody = { readonly text: string } | { readonly base64: string };

/** A recorded request, redacted. */
export interface RecordedRequest {
  /** The request method. */
  readonly method: string;
  /** The complete URL. */
  readonly url: string;
  /** The request headers, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body; absent if there was none. */
  readonly body?: RecordedBody;
}

/** A recorded response, redacted, with content encodings decoded. */
export interface RecordedResponse {
  /** The status. */
  readonly status: number;
  /** The response headers, by lower-case name. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** The body; absent if there was none. */
  readonly body?: RecordedBody;
}

/** A recorded request and its response. */
export interface RecordedExchange {
  /** The request. */
  readonly request: RecordedRequest;
  /** The response. */
  readonly response: RecordedResponse;
}

/** The version of the file format. */
const VERSION = 1;

export function loadRecording(path: string): readonly RecordedExchange[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new RecordingError('MAC_RECORDING_MISSING', `There is no recording at ${path}`, path, error);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new RecordingError('MAC_RECORDING_INVALID', `${path} is not JSON`, path, error);
  }
  const { version, exchanges } = (content ?? {}) as { version?: unknown; exchanges?: unknown };
  if (version !== VERSION || !Array.isArray(exchanges) || !exchanges.every(isExchange)) {
    throw new RecordingError('MAC_RECORDING_INVALID', `${path} is no recording of version ${VERSION}`, path);
  }
  return exchanges;
}

export async function saveRecording(path: string, exchanges: readonly RecordedExchange[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ version: VERSION, exchanges }, undefined, 2)}\n`);
}

function isExchange(value: unknown): value is RecordedExchange {
  const { request, response } = (value ?? {}) as Partial<RecordedExchange>;
  return typeof request?.method === 'string' && typeof request.url === 'string' && typeof response?.status === 'number';
}
