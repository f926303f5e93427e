import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

/** Messages with more lines than this are folded, to slightly fewer: a single hidden line is not worth a button. */
const TALLEST_LINES = 20;
/** Shorter texts never reach that height, even on narrow screens. */
const SHORTEST_TALL = { characters: 240, lines: 12 };

/** The unfolded messages of a timeline; a row that is scrolled out of the page and back keeps its state. */
export interface Folding {
  unfolded: Set<string>;
  /** The reader is about to change a row's height, so the list must not stick to its end. */
  onToggle(): void;
}

interface FoldProps {
  id: string;
  text: string;
  folding: Folding;
  children: ReactNode;
}

/** Limits a long message to a part of the screen until the reader unfolds it. */
export function Fold(props: FoldProps) {
  const { characters, lines } = SHORTEST_TALL;
  const canBeTall = props.text.length >= characters || props.text.split("\n", lines).length === lines;
  return canBeTall ? <MeasuredFold {...props} /> : props.children;
}

function MeasuredFold({ id, folding, children }: FoldProps) {
  const [isTall, setTall] = useState(false);
  const [isOpen, setOpen] = useState(() => folding.unfolded.has(id));
  const frame = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const isFolded = isTall && !isOpen;

  // Runs before the first paint, so that the list never measures the row at its full height.
  useLayoutEffect(() => {
    const element = content.current;
    if (!element) return;
    const measure = () => {
      const lineHeight = Number.parseFloat(getComputedStyle(element).lineHeight);
      setTall(element.offsetHeight > TALLEST_LINES * lineHeight);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const wasOpen = useRef(isOpen);
  useEffect(() => {
    // Folding a message at its lower end would scroll it out of view, so scroll back to its beginning.
    if (wasOpen.current && !isOpen) frame.current?.closest("article")?.scrollIntoView({ block: "nearest" });
    wasOpen.current = isOpen;
  }, [isOpen]);

  function toggle(open: boolean) {
    folding.onToggle();
    if (open) folding.unfolded.add(id);
    else folding.unfolded.delete(id);
    setOpen(open);
  }

  /** The browser scrolls the folded part to a focused link or to a search match; then the message is unfolded. */
  const reveal = useRef(0);
  function onScroll() {
    const element = frame.current;
    if (!isFolded || !element || element.scrollTop === 0) return;
    reveal.current = element.scrollTop;
    element.scrollTop = 0;
    toggle(true);
  }
  useLayoutEffect(() => {
    if (!isOpen || reveal.current === 0) return;
    frame.current?.closest("[role=log]")?.scrollBy({ top: reveal.current, behavior: "instant" });
    reveal.current = 0;
  }, [isOpen]);

  return (
    <>
      <div
        ref={frame}
        onScroll={onScroll}
        className={
          isFolded
            ? "max-h-[22.5em] overflow-hidden [mask-image:linear-gradient(#000_calc(100%-3.5em),transparent)]"
            : ""
        }
      >
        <div ref={content}>{children}</div>
      </div>
      {isTall && (
        <button
          type="button"
          aria-expanded={isOpen}
          onClick={() => toggle(!isOpen)}
          className="mt-1 min-h-11 rounded-lg font-semibold text-accent hover:text-accent-strong md:min-h-8"
        >
          {isOpen ? "Show less" : "Show more"}
        </button>
      )}
    </>
  );
}
