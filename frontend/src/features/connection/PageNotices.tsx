import { useState, useSyncExternalStore } from "react";
import { isChunkMissing, isReloadNeeded } from "../../browser/chunks";
import type { Observable } from "../../browser/observable";
import { isNewerReleaseThere } from "../../browser/release";
import { type StorageTrouble, storageTrouble } from "../../browser/storage";
import { Notice } from "../../ui/Notice";

const STORAGE: Record<StorageTrouble, string> = {
  blocked:
    "This browser does not let Gapless store anything. Everything works, but a reload signs you out and loses what is not sent yet.",
  full: "This browser has no room left to store anything. What you type is lost if you close or reload this page before it is sent.",
};

const BUTTON = "min-h-9 shrink-0 font-semibold underline underline-offset-4";

/** Notices about the page itself, shown on every screen. */
export function PageNotices() {
  const trouble = useObservable(storageTrouble);
  const isNewer = useObservable(isNewerReleaseThere);
  const isMissing = useObservable(isChunkMissing);
  const needsReload = useObservable(isReloadNeeded);
  const [dismissed, setDismissed] = useState<StorageTrouble | null>(null);

  return (
    <div className="px-3">
      {isNewer ? (
        <Notice tone="calm" action={<ReloadButton />}>
          A newer version of Gapless is available.
        </Notice>
      ) : (
        isMissing && (
          <Notice tone="waiting" action={needsReload && <ReloadButton />}>
            <span>
              {needsReload
                ? "A part of this page could not be loaded. Reload to get it; what you typed is kept."
                : "A part of this page could not be loaded. Trying again."}
            </span>
          </Notice>
        )
      )}
      {trouble && trouble !== dismissed && (
        <Notice
          tone="waiting"
          action={
            <button type="button" className={BUTTON} onClick={() => setDismissed(trouble)}>
              Dismiss
            </button>
          }
        >
          {STORAGE[trouble]}
        </Notice>
      )}
    </div>
  );
}

function ReloadButton() {
  return (
    <button type="button" className={BUTTON} onClick={() => window.location.reload()}>
      Reload
    </button>
  );
}

function useObservable<T>(observable: Observable<T>): T {
  return useSyncExternalStore(observable.subscribe, () => observable.current);
}
