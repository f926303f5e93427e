import { Check, type LucideIcon } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { isComposing } from "./keys";

export interface MenuItem {
  label: string;
  icon: LucideIcon;
  isDanger?: boolean;
  /** Given for an item that is one of several choices. */
  isChosen?: boolean;
  /** The state of an item that switches something on or off. */
  isChecked?: boolean;
  onSelect(): void;
}

interface MenuProps {
  label: string;
  /** Content of the button. */
  children: ReactNode;
  items: readonly MenuItem[];
  buttonClassName?: string;
}

/** Space that a menu needs below its button; with less, it opens upwards. */
const TALLEST_ENTRY_PX = 44;
const SLACK_PX = 32;

const ITEM = '[role^="menuitem"]';

function roleOf({ isChosen, isChecked }: MenuItem) {
  if (isChosen !== undefined) return { role: "menuitemradio", "aria-checked": isChosen } as const;
  if (isChecked !== undefined) return { role: "menuitemcheckbox", "aria-checked": isChecked } as const;
  return { role: "menuitem" } as const;
}

/** A button that opens a list of actions; arrow keys move, Escape closes and restores the focus. */
export function Menu({ label, children, items, buttonClassName = "" }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const [isAbove, setAbove] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const menuId = useId();

  useEffect(() => {
    if (!isOpen) return;
    root.current?.querySelector<HTMLElement>(ITEM)?.focus();
    const closeOutside = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [isOpen]);

  function close() {
    setOpen(false);
    button.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    const entries = [...(root.current?.querySelectorAll<HTMLElement>(ITEM) ?? [])];
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const targets: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const target = targets[event.key];
    if (event.key === "Escape") close();
    else if (event.key === "Tab") setOpen(false);
    else if (target !== undefined) entries.at(target % entries.length)?.focus();
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div ref={root} className="relative">
      <button
        ref={button}
        type="button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? menuId : undefined}
        className={buttonClassName}
        onClick={(event) => {
          const below = window.innerHeight - event.currentTarget.getBoundingClientRect().bottom;
          setAbove(below < items.length * TALLEST_ENTRY_PX + SLACK_PX);
          setOpen(!isOpen);
        }}
      >
        {children}
      </button>
      {isOpen && (
        <div
          id={menuId}
          role="menu"
          aria-label={label}
          tabIndex={-1}
          onKeyDown={onKeyDown}
          className={`rise absolute right-0 z-30 w-max min-w-52 max-w-[min(22rem,calc(100vw-1.5rem))] rounded-xl border border-line bg-raised p-1.5 shadow-float ${isAbove ? "bottom-full mb-2" : "top-full mt-1"}`}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              {...roleOf(item)}
              tabIndex={-1}
              className={`flex min-h-11 w-full items-center gap-3 rounded-lg px-3 text-left font-medium hover:bg-surface focus-visible:bg-surface md:min-h-9 ${item.isDanger ? "text-danger" : "text-ink"}`}
              onClick={() => {
                close();
                item.onSelect();
              }}
            >
              <item.icon className="size-4.5 shrink-0" aria-hidden />
              <span className="flex-1">{item.label}</span>
              {(item.isChosen || item.isChecked) && (
                <Check className="size-4.5 shrink-0 text-accent" aria-hidden />
              )}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
