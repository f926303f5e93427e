import { useEffect, useRef } from "react";
import { Button } from "./Button";

interface LoadMoreProps {
  label: string;
  isLoading: boolean;
  /** After an error the list continues only by hand. */
  hasFailed?: boolean;
  onLoad(): void;
}

/** Distance from the visible part of the list at which its next page is loaded. */
const AHEAD = "400px";

/** The end of a list with more pages: loads the next one when scrolled into view, or by its button. */
export function LoadMore({ label, isLoading, hasFailed = false, onLoad }: LoadMoreProps) {
  const end = useRef<HTMLDivElement>(null);
  const load = useRef(onLoad);
  useEffect(() => {
    load.current = onLoad;
  }, [onLoad]);

  // Observed anew after each page: a page that is shorter than the view leaves the end where it was.
  useEffect(() => {
    if (isLoading || hasFailed || !end.current || !("IntersectionObserver" in window)) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && load.current(),
      { rootMargin: AHEAD },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [isLoading, hasFailed]);

  return (
    <div ref={end} className="p-3 text-center">
      <Button look="quiet" isBusy={isLoading} onClick={onLoad}>
        {label}
      </Button>
    </div>
  );
}
