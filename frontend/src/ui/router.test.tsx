import { fireEvent, render, screen } from "@testing-library/react";
import { lazy, Suspense } from "react";
import { beforeEach, expect, test } from "vitest";
import { BrowserRouter, Link, matchPath, NavLink, Redirect, Routes, useLocation, useParams } from "./router";

let loadSlow: (module: { default: () => React.ReactNode }) => void;

beforeEach(() => window.history.replaceState(null, "", "/"));

test.each([
  ["/", "/", {}],
  ["/dm", "/dm", {}],
  ["/dm", "/DM/", {}],
  ["/dm", "/dm/new", null],
  ["/dm/:userId", "/dm/7", { userId: "7" }],
  ["/r/:roomId/:seq?", "/r/general", { roomId: "general", seq: undefined }],
  ["/r/:roomId/:seq?", "/r/caf%C3%A9/12/", { roomId: "café", seq: "12" }],
  ["/r/:roomId/:seq?", "/r/%E0%A4%A/12", { roomId: "%E0%A4%A", seq: "12" }],
  ["/r/:roomId/:seq?", "/r/general/12/more", null],
  ["/r/:roomId/:seq?", "/r/", null],
])("%s matches %s as a whole", (pattern, path, params) => {
  expect(matchPath(pattern, path)).toEqual(params);
});

function Here() {
  const { pathname, search, state } = useLocation();
  const { id } = useParams();
  return <output>{`${pathname}${search} ${id ?? "-"} ${JSON.stringify(state)}`}</output>;
}

function open() {
  const Slow = lazy(
    () =>
      new Promise<{ default: () => React.ReactNode }>((resolve) => {
        loadSlow = resolve;
      }),
  );
  const routes = [
    { path: "/old", page: <Redirect to="/rooms/1" /> },
    { path: "/slow", page: <Slow /> },
    { path: "/rooms/:id", page: <Here /> },
  ];
  render(
    <BrowserRouter>
      <Link to="/rooms/1?q=a" state={{ from: "here" }}>
        One
      </Link>
      <Link to="/old">Old</Link>
      <Link to="/slow">Slow</Link>
      <NavLink to="/rooms">Rooms</NavLink>
      <NavLink to="/rooms" end>
        Rooms alone
      </NavLink>
      <Suspense fallback="loading">
        <Routes routes={routes} otherwise={<p>nothing here</p>} />
      </Suspense>
    </BrowserRouter>,
  );
}

const click = (name: string, init?: MouseEventInit) =>
  fireEvent.click(screen.getByRole("link", { name }), { button: 0, ...init });
const here = () => screen.getByRole("status").textContent;

test("a link changes the address, and back returns", async () => {
  open();
  expect(screen.getByText("nothing here")).toBeVisible();
  const entries = window.history.length;
  click("One");
  expect(here()).toBe('/rooms/1?q=a 1 {"from":"here"}');
  expect(window.location.pathname).toBe("/rooms/1");
  expect(screen.getByRole("link", { name: "Rooms" })).toHaveAttribute("aria-current", "page");
  expect(screen.getByRole("link", { name: "Rooms alone" })).not.toHaveAttribute("aria-current");
  click("One");
  expect(window.history.length, "the same address is no further entry").toBe(entries + 1);
  window.history.back();
  expect(await screen.findByText("nothing here")).toBeVisible();
});

test("a click with a key is left to the browser", () => {
  open();
  for (const init of [{ ctrlKey: true }, { metaKey: true }, { shiftKey: true }, { button: 1 }]) {
    expect(click("One", init), "not prevented").toBe(true);
  }
  expect(screen.getByText("nothing here")).toBeVisible();
});

test("a redirect leaves no entry", async () => {
  open();
  click("Old");
  expect(here()).toBe("/rooms/1 1 null");
  window.history.back();
  expect(await screen.findByText("nothing here")).toBeVisible();
});

test("the page before stays until the next one is loaded", async () => {
  open();
  click("Slow");
  expect(screen.getByText("nothing here")).toBeVisible();
  expect(screen.queryByText("loading")).toBeNull();
  loadSlow({ default: () => <p>slow page</p> });
  expect(await screen.findByText("slow page")).toBeVisible();
});
