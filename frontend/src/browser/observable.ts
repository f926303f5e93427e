import { Listeners } from "./listeners";

/** A value outside of React that components can subscribe to. */
export class Observable<T> {
  #current: T;
  #listeners = new Listeners();

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
    queueMicrotask(() => this.#listeners.notify());
  }

  readonly subscribe = this.#listeners.subscribe;
}
