/** More requests than this go separately, so that one script does not keep the server from everybody else. */
const MAX_BATCH = 32;

interface Waiting<Q, A> {
  readonly question: Q;
  readonly resolve: (answer: A) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects what is asked in one turn of the event loop, and asks it together. Requests that arrive while a server is busy arrive
 * in one turn anyway; what they save is a command each, and everything that guards a command.
 */
export class Turn<Q, A> {
  readonly #send: (questions: readonly Q[]) => Promise<readonly A[]>;
  #waiting: Waiting<Q, A>[] = [];

  constructor(send: (questions: readonly Q[]) => Promise<readonly A[]>) {
    this.#send = send;
  }

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (this.#waiting.length === 1) process.nextTick(() => this.#end());
      else if (this.#waiting.length === MAX_BATCH) this.#end();
    });
  }

  #end(): void {
    const asked = this.#waiting;
    if (asked.length === 0) return;
    this.#waiting = [];
    this.#send(asked.map(({ question }) => question)).then(
      (answers) => asked.forEach(({ resolve }, i) => resolve(answers[i] as A)),
      (error: unknown) => asked.forEach(({ reject }) => reject(error)),
    );
  }
}
