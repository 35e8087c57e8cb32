import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RecordingError } from './errors.ts';

/** A body as it is written down: text where it is text. */
export type RecordedBody = { readonly text: string } | { readonly base64: string };

/** A request, without its credentials. */
export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RecordedBody;
}

/** An answer, without credentials, its content encodings undone. */
export interface RecordedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: RecordedBody;
}

export interface RecordedExchange {
  readonly request: RecordedRequest;
  readonly response: RecordedResponse;
}

/** The format of the file. */
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
