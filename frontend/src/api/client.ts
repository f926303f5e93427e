// Joins the generated client to this deployment's address and to the signed-in session.

import { apiAddress } from "./address";
import { client } from "./gen/client.gen";

/** Provides the access token. Implemented by the session, on which this module must not depend. */
export interface TokenSource {
  /** User of the tokens; null for a guest. */
  readonly userId: string | null;
  /** A token that is valid for the next request, or null for a guest. */
  accessToken(): Promise<string | null>;
  /** A token newer than `refused`, or null when the session is over. */
  replaceToken(refused: string): Promise<string | null>;
}

/** Timeout of a request. Messages are retried with the same `client_id`. */
const PATIENCE_MS = 20_000;

/** Header that names the user of a request; read and removed here, never sent. */
const AS_USER = "gapless-as-user";

/** Options for a call that must not be sent as another user, even if another user signs in while it waits. */
export function asUser(userId: string): { headers: Record<string, string> } {
  return { headers: { [AS_USER]: userId } };
}

export function connectClient(tokens: TokenSource): void {
  client.setConfig({
    baseUrl: apiAddress(),
    fetch: (request) => authorizedFetch(tokens, request as Request),
  });
}

/** Sends with the access token; on a 401 renews it and sends once more. */
async function authorizedFetch(tokens: TokenSource, request: Request): Promise<Response> {
  // For signing in and refreshing, a 401 is the final answer and does not mean a stale token.
  if (/\/auth\/(login|register|refresh)$/.test(new URL(request.url).pathname)) return send(request);

  const user = request.headers.get(AS_USER);
  request.headers.delete(AS_USER);
  const isSomebodyElse = () => user !== null && tokens.userId !== user;

  const token = await tokens.accessToken();
  if (isSomebodyElse()) return new Response(null, { status: 401 });
  if (token === null) return send(request);
  const again = request.clone();
  const response = await send(withToken(request, token));
  if (response.status !== 401) return response;

  const renewed = await tokens.replaceToken(token);
  return renewed === null || isSomebodyElse() ? response : send(withToken(again, renewed));
}

function send(request: Request): Promise<Response> {
  return fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(PATIENCE_MS)]) });
}

function withToken(request: Request, token: string): Request {
  request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}
