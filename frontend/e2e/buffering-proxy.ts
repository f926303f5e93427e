// A proxy that forwards everything but buffers streams, like one that waits for the end of a response.

import { createServer, type Server as HttpServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export class BufferingProxy {
  #held: { begin(): void }[] = [];
  #isBuffering = true;

  private constructor(
    private readonly server: HttpServer,
    private readonly target: URL,
  ) {}

  get url(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`;
  }

  static async before(target: string): Promise<BufferingProxy> {
    const server = createServer();
    const proxy = new BufferingProxy(server, new URL(target));
    proxy.#serve();
    await new Promise<void>((resolve) => server.listen(0, resolve));
    return proxy;
  }

  /** From now on streams are forwarded like everything else. */
  passStreams(): void {
    this.#isBuffering = false;
    for (const { begin } of this.#held.splice(0)) begin();
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #serve(): void {
    this.server.on("request", (incoming, outgoing) => {
      const { hostname, port } = this.target;
      const { url: path, method, headers } = incoming;
      const upstream = request({ hostname, port, path, method, headers }, (answer) => {
        const pass = () => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        };
        if (path?.startsWith("/sse") && this.#isBuffering) this.#held.push({ begin: pass });
        else pass();
      });
      upstream.on("error", () => outgoing.destroy());
      outgoing.on("close", () => upstream.destroy());
      incoming.pipe(upstream);
    });
  }
}
