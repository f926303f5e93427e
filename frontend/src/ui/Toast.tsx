import { X } from "lucide-react";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { Listeners } from "../browser/listeners";
import { IconButton } from "./Button";

interface ToastAction {
  label: string;
  onSelect(): void;
}

export interface ToastOptions {
  text: string;
  /** A second, quieter line. */
  detail?: string;
  action?: ToastAction;
  /** A further action after the first. */
  second?: ToastAction;
  /** At the top, where it covers neither the newest messages nor the field. */
  isAtTop?: boolean;
  /** Time on the screen, without the time under the pointer or the focus. */
  ms?: number;
  tone?: keyof typeof TONES;
  /** A toast replaces the one with the same key. */
  key?: string;
}

interface Shown extends ToastOptions {
  id: number;
}

const DEFAULT_MS = 4_000;
/** Time on the screen of a toast with an action. */
const ACTION_MS = 8_000;
/** A further toast removes the oldest one. */
const MOST_TOASTS = 3;

const TONES = {
  plain: "border-line bg-raised text-ink",
  private: "border-private bg-private-wash text-ink",
};

const ACTIONS = {
  plain: "text-accent hover:text-accent-strong",
  private: "text-private hover:underline",
};

const listeners = new Listeners();
let shown: readonly Shown[] = [];
let lastId = 0;

function set(next: readonly Shown[]): void {
  shown = next;
  listeners.notify();
}

/** Shows a short message that disappears by itself. Returns a function that removes it earlier. */
export function showToast(options: ToastOptions): () => void {
  const id = ++lastId;
  const others = shown.filter(({ key }) => key === undefined || key !== options.key);
  set([...others, { ...options, id }].slice(-MOST_TOASTS));
  return () => dismiss(id);
}

function dismiss(id: number): void {
  if (shown.some((toast) => toast.id === id)) set(shown.filter((toast) => toast.id !== id));
}

const BOTTOM = "bottom-24 md:right-6";
const TOP = "top-[max(4.5rem,env(safe-area-inset-top))] md:right-5";

/** Mounted once, by the shell. The regions exist before their content, so that screen readers announce each toast. */
export function Toasts() {
  const toasts = useSyncExternalStore(listeners.subscribe, () => shown);
  return (
    <>
      <Region label="Notifications" look={BOTTOM} toasts={toasts.filter(({ isAtTop }) => !isAtTop)} />
      <Region label="New private messages" look={TOP} toasts={toasts.filter(({ isAtTop }) => isAtTop)} />
    </>
  );
}

function Region({ label, look, toasts }: { label: string; look: string; toasts: readonly Shown[] }) {
  return (
    <div
      role="status"
      aria-label={label}
      className={`pointer-events-none fixed inset-x-3 z-40 flex flex-col items-center gap-2 md:inset-x-auto md:items-end ${look}`}
    >
      {toasts.map((toast) => (
        <Toast key={toast.id} toast={toast} onDone={() => dismiss(toast.id)} />
      ))}
    </div>
  );
}

function Toast({ toast, onDone }: { toast: Shown; onDone(): void }) {
  const { text, detail, action, second, tone = "plain" } = toast;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const leftMs = useRef(toast.ms ?? (action ? ACTION_MS : DEFAULT_MS));
  const startedAt = useRef(0);
  const done = useRef(onDone);
  useEffect(() => {
    done.current = onDone;
  }, [onDone]);

  function run() {
    clearTimeout(timer.current);
    startedAt.current = Date.now();
    timer.current = setTimeout(() => done.current(), leftMs.current);
  }
  /** Stops the time while the toast is being read or used. */
  function pause() {
    clearTimeout(timer.current);
    leftMs.current = Math.max(1_000, leftMs.current - (Date.now() - startedAt.current));
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: the time starts once
  useEffect(() => {
    run();
    return () => clearTimeout(timer.current);
  }, []);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the pointer only stops the time
    <div
      data-testid="toast"
      onPointerEnter={pause}
      onPointerLeave={run}
      onFocus={pause}
      onBlur={run}
      className={`rise pointer-events-auto flex max-w-sm items-center gap-x-3 rounded-xl border py-1.5 pr-1.5 pl-4 shadow-float ${second ? "flex-wrap justify-end" : ""} ${TONES[tone]}`}
    >
      <div className={`min-w-0 py-1 text-sm ${second ? "basis-full pr-2" : "flex-1"}`}>
        <p className="foreign font-medium">{text}</p>
        {detail && <p className="foreign line-clamp-2 text-muted">{detail}</p>}
      </div>
      {[action, second].map(
        (one) =>
          one && (
            <button
              key={one.label}
              type="button"
              className={`min-h-11 rounded-lg px-2 text-sm font-semibold md:min-h-9 ${ACTIONS[tone]}`}
              onClick={() => {
                onDone();
                one.onSelect();
              }}
            >
              {one.label}
            </button>
          ),
      )}
      <IconButton label="Dismiss" onClick={onDone}>
        <X className="size-4" aria-hidden />
      </IconButton>
    </div>
  );
}
