// A stream read by the test itself, without a browser, event by event.

import type { EventKind } from "../src/realtime/events";
import type { ServerEvent } from "../src/realtime/server-event";

export class Listener {
  readonly events: ServerEvent[] = [];
  #news: (() => void)[] = [];
  readonly #end = new AbortController();

  static async open(url: string): Promise<Listener> {
    const listener = new Listener();
    const response = await fetch(url, { signal: listener.#end.signal });
    if (!response.ok || !response.body) throw new Error(`The stream was refused with ${response.status}.`);
    void listener.#read(response.body).catch(() => {}); // Closing the stream rejects the read.
    return listener;
  }

  /** Resolves once an event at index `from` or later satisfies `wanted`. */
  async hears(wanted: (event: ServerEvent) => boolean, from = 0): Promise<ServerEvent> {
    for (;;) {
      const event = this.events.slice(from).find(wanted);
      if (event) return event;
      await new Promise<void>((resolve) => this.#news.push(resolve));
    }
  }

  close(): void {
    this.#end.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      const frames = (rest + decoder.decode(chunk.value, { stream: true })).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) this.#take(frame);
    }
  }

  #take(frame: string): void {
    const fields = new Map(frame.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
    const [kind, data] = [fields.get("event") as EventKind | undefined, fields.get("data")];
    if (kind === undefined || data === undefined) return;
    this.events.push({ kind, id: fields.get("id") ?? null, data: JSON.parse(data) } as ServerEvent);
    for (const wake of this.#news.splice(0)) wake();
  }
}
