/** A value outside of React that components can subscribe to. */
export class Observable<T> {
  #current: T;
  #listeners = new Set<() => void>();

  constructor(first: T) {
    this.#current = first;
  }

  get current(): T {
    return this.#current;
  }

  /** Notifies the listeners asynchronously: a value may be set while React renders. */
  set(next: T): void {
    if (next === this.#current) return;
    this.#current = next;
    queueMicrotask(() => {
      for (const listener of [...this.#listeners]) listener();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
