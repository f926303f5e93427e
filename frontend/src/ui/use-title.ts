import { useEffect } from "react";

let page = "";
let unread = 0;

function write(): void {
  const title = page === "" ? "Gapless" : `${page} · Gapless`;
  document.title = unread === 0 ? title : `(${unread > 99 ? "99+" : unread}) ${title}`;
}

export function useTitle(title: string): void {
  useEffect(() => {
    page = title;
    write();
  }, [title]);
}

/** Puts a number of unread messages before the title of every page. */
export function useUnreadTitle(count: number): void {
  useEffect(() => {
    unread = count;
    write();
  }, [count]);
}
