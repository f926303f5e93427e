// Pages by address. The app needs no loaders, nested routes or relative links, so a library's router would be most of
// what a first visit loads for it.

import {
  type AnchorHTMLAttributes,
  createContext,
  type MouseEvent,
  type ReactNode,
  startTransition,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
} from "react";

export interface Location {
  pathname: string;
  search: string;
  hash: string;
  /** Given by whoever navigated here; survives a reload, so its shape is checked where it is read. */
  // biome-ignore lint/suspicious/noExplicitAny: as untyped as the browser's own `history.state`
  state: any;
  /** Identifies the visit: the same address has another key when it is visited again. */
  key: string;
}

interface NavigateOptions {
  /** Replaces the entry of the history, so that "back" skips this page. */
  replace?: boolean;
  state?: unknown;
}

/**
 * Goes to a path of this app. Another query of the same page is the same visit, unless `state` is given. The same
 * function for the lifetime of the page.
 */
export type Navigate = (to: string, options?: NavigateOptions) => void;

const LocationContext = createContext<Location | null>(null);
const NavigateContext = createContext<Navigate | null>(null);
const ParamsContext = createContext<Params>({});

interface RouterProps {
  location: Location;
  navigate: Navigate;
  children: ReactNode;
}

export function Router({ location, navigate, children }: RouterProps) {
  return (
    <NavigateContext value={navigate}>
      <LocationContext value={location}>{children}</LocationContext>
    </NavigateContext>
  );
}

/** The router of a browser's tab: addresses are those of its history. */
export function BrowserRouter({ children }: { children: ReactNode }) {
  const [location, setLocation] = useState(currentLocation);
  // In a transition, the page before stays on the screen until the code of the next one is loaded.
  const follow = useCallback(() => startTransition(() => setLocation(currentLocation())), []);
  useLayoutEffect(() => {
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, [follow]);
  const navigate: Navigate = useCallback(
    (to, { replace = false, state } = {}) => {
      const { pathname, search, hash } = window.location;
      const isSamePage = state === undefined && /^[^?#]*/.exec(to)?.[0] === pathname;
      const entry = isSamePage
        ? window.history.state
        : { usr: state ?? null, key: Math.random().toString(36).slice(2, 10) };
      if (replace || to === pathname + search + hash) window.history.replaceState(entry, "", to);
      else window.history.pushState(entry, "", to);
      follow();
    },
    [follow],
  );
  return (
    <Router location={location} navigate={navigate}>
      {children}
    </Router>
  );
}

/** The names in a history entry are those of earlier releases, whose entries a tab may still have. */
function currentLocation(): Location {
  const { pathname, search, hash } = window.location;
  const entry = window.history.state;
  return { pathname, search, hash, state: entry?.usr ?? null, key: entry?.key ?? "default" };
}

export type Params = Readonly<Record<string, string | undefined>>;

/** Matches a path with a pattern such as `/r/:roomId/:seq?`; null unless it matches as a whole. */
export function matchPath(pattern: string, pathname: string): Params | null {
  const source = pattern.replace(/\/:(\w+)(\??)/g, (_, name, optional) =>
    optional ? `(?:/(?<${name}>[^/]+))?` : `/(?<${name}>[^/]+)`,
  );
  const match = new RegExp(`^${source}/*$`, "i").exec(pathname);
  return match && Object.fromEntries(Object.entries(match.groups ?? {}).map(([k, v]) => [k, v && decode(v)]));
}

/** An address is typed by anyone: what cannot be decoded stays as it is. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export interface Route {
  path: string;
  page: ReactNode;
}

/** Shows the first route that matches the address. */
export function Routes({ routes, otherwise }: { routes: readonly Route[]; otherwise: ReactNode }) {
  const { pathname } = useLocation();
  const [params, page] = useMemo(() => {
    for (const { path, page } of routes) {
      const found = matchPath(path, pathname);
      if (found) return [found, page] as const;
    }
    return [{}, otherwise] as const;
  }, [routes, otherwise, pathname]);
  return <ParamsContext value={params}>{page}</ParamsContext>;
}

export function useLocation(): Location {
  const location = useContext(LocationContext);
  if (!location) throw new Error("There is no router above this component.");
  return location;
}

export function useNavigate(): Navigate {
  const navigate = useContext(NavigateContext);
  if (!navigate) throw new Error("There is no router above this component.");
  return navigate;
}

/** The variable parts of the matched route. */
export const useParams = (): Params => useContext(ParamsContext);

export function useSearchParams(): URLSearchParams {
  const { search } = useLocation();
  return useMemo(() => new URLSearchParams(search), [search]);
}

/** Redirects. */
export function Redirect({ to }: { to: string }) {
  const navigate = useNavigate();
  useEffect(() => navigate(to, { replace: true }), [navigate, to]);
  return null;
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  to: string;
  state?: unknown;
}

/** A link to a path of this app. */
export function Link({ to, state, onClick, ...rest }: LinkProps) {
  const navigate = useNavigate();
  function follow(event: MouseEvent<HTMLAnchorElement>) {
    onClick?.(event);
    const isPlain = event.button === 0 && !(event.metaKey || event.altKey || event.ctrlKey || event.shiftKey);
    if (event.defaultPrevented || !isPlain) return;
    event.preventDefault();
    navigate(to, { state });
  }
  return <a {...rest} href={to} onClick={follow} />;
}

interface NavLinkProps extends LinkProps {
  /** True if only this page itself counts, without the pages below it. */
  end?: boolean;
}

/** A link that is marked on its page, and on the pages below it. */
export function NavLink({ end = false, ...rest }: NavLinkProps) {
  const { pathname } = useLocation();
  const isHere = pathname === rest.to || (!end && pathname.startsWith(`${rest.to}/`));
  return <Link aria-current={isHere ? "page" : undefined} {...rest} />;
}
