// Creates accounts, rooms and messages by REST, so that each test has its own.

import { randomUUID } from "node:crypto";

export interface Account {
  id: string;
  username: string;
  password: string;
  token: string;
}

export interface Room {
  id: string;
  name: string;
}

export class Api {
  readonly #rooms: Room[] = [];

  /** On a busy machine the database may take too long, and the server asks to try again; that is done for `patienceMs`. */
  constructor(
    readonly url: string,
    private readonly patienceMs = 60_000,
  ) {}

  async account(username = unique("user"), password = "a long password"): Promise<Account> {
    return this.#account("register", username, password);
  }

  async admin(): Promise<Account> {
    return this.#account("login", "admin", "admin");
  }

  async room(name = unique("Room")): Promise<Room> {
    const room = await this.send("POST", "/rooms", { name }, await this.admin());
    this.#rooms.push(room);
    return room;
  }

  /** Moves this test's rooms to the end of the list, whose first page is for the tests that follow. */
  async clearsUp(): Promise<void> {
    if (this.#rooms.length === 0) return;
    const admin = await this.admin();
    for (const { id, name } of this.#rooms) {
      await this.send("PATCH", `/rooms/${id}`, { name: `zz ${name}` }, admin).catch(() => {});
    }
  }

  async post(author: Account, room: Room, body: string): Promise<{ id: string; seq: number }> {
    return this.send("POST", "/messages", { room_id: room.id, body, client_id: randomUUID() }, author);
  }

  async bodies(room: Room): Promise<string[]> {
    const { messages } = await this.send("GET", `/messages?room_id=${room.id}&limit=200`);
    return messages.map((message: { body: string }) => message.body);
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read answers as they come
  async send(method: string, path: string, body?: unknown, by?: Account): Promise<any> {
    const ask = () =>
      fetch(this.url + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(by ? { Authorization: `Bearer ${by.token}` } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const deadline = Date.now() + this.patienceMs;
    let response = await ask();
    while (response.status === 503 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      response = await ask();
    }
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? null : response.json();
  }

  async #account(how: "register" | "login", username: string, password: string): Promise<Account> {
    const { access_token, user } = await this.send("POST", `/auth/${how}`, { username, password });
    return { id: user.id, username, password, token: access_token };
  }
}

export function unique(word: string): string {
  return `${word}-${Math.random().toString(36).slice(2, 8)}`;
}
