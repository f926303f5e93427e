/** The subscribers to something outside of React; `subscribe` is what `useSyncExternalStore` takes. */
export class Listeners {
  #all = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  };

  notify(): void {
    for (const listener of [...this.#all]) listener();
  }
}
