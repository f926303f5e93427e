// Web Locks for tests: one queue per name, exclusive, with `steal`. Each tab of a test gets its own handle,
// so that a tab can crash and release its locks.

interface Waiting {
  tab: FakeTab;
  grant(): void;
}

interface Held {
  tab: FakeTab;
  lose(error: Error): void;
}

export class FakeLocks {
  #held = new Map<string, Held>();
  #queues = new Map<string, Waiting[]>();

  tab(): FakeTab {
    return new FakeTab(this);
  }

  request<T>(tab: FakeTab, name: string, work: () => T | Promise<T>, options: LockOptions): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const held = { tab, lose: reject };
      const grant = () => {
        this.#held.set(name, held);
        Promise.resolve()
          .then(work)
          .then(resolve, reject)
          .finally(() => {
            if (this.#held.get(name) === held) this.#release(name);
          });
      };
      options.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      const holder = this.#held.get(name);
      if (holder && options.steal) {
        holder.lose(new DOMException("stolen", "AbortError"));
        grant();
      } else if (holder) {
        const waiting = { tab, grant };
        const queue = () => this.#queues.get(name) ?? [];
        this.#queues.set(name, [...queue(), waiting]);
        options.signal?.addEventListener("abort", () =>
          this.#queues.set(
            name,
            queue().filter((other) => other !== waiting),
          ),
        );
      } else grant();
    });
  }

  /** Simulates a crash of the tab: none of its callbacks run anymore. */
  kill(tab: FakeTab): void {
    for (const [name, queue] of this.#queues)
      this.#queues.set(
        name,
        queue.filter((waiting) => waiting.tab !== tab),
      );
    for (const [name, held] of this.#held) if (held.tab === tab) this.#release(name);
  }

  #release(name: string): void {
    this.#held.delete(name);
    const [next, ...rest] = this.#queues.get(name) ?? [];
    this.#queues.set(name, rest);
    next?.grant();
  }
}

export class FakeTab {
  constructor(private readonly locks: FakeLocks) {}

  request<T>(
    name: string,
    options: LockOptions | (() => T | Promise<T>),
    work?: () => T | Promise<T>,
  ): Promise<T> {
    return typeof options === "function"
      ? this.locks.request(this, name, options, {})
      : this.locks.request(this, name, work as () => T | Promise<T>, options);
  }
}
