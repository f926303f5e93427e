import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { HttpResponse, http } from "msw";
import { expect, test } from "vitest";
import { server, usesServer } from "../testing/server";
import { useServerTraits } from "./use-server-traits";

usesServer();

function Traits() {
  return <p>{JSON.stringify(useServerTraits())}</p>;
}

test.each([
  [
    "a server that is not ready",
    () => HttpResponse.json({ title: "Not ready", status: 503 }, { status: 503 }),
  ],
  ["a proxy's page", () => new HttpResponse("<h1>Hello</h1>")],
])("%s is asked again, and its response is not cached", async (_, answerOf) => {
  let asked = 0;
  server.use(
    http.get("*/server", () => {
      asked += 1;
      return asked === 1 ? answerOf() : HttpResponse.json({ demo: true });
    }),
  );
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Traits />
    </QueryClientProvider>,
  );
  expect(screen.getByText("{}")).toBeInTheDocument();
  expect(await screen.findByText(/"demo":true/)).toBeInTheDocument();
  expect(asked).toBe(2);
});
