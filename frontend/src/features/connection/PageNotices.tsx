import { useState, useSyncExternalStore } from "react";
import { isChunkMissing, isReloadNeeded } from "../../browser/chunks";
import type { Observable } from "../../browser/observable";
import { isNewerReleaseThere } from "../../browser/release";
import { type StorageTrouble, storageTrouble } from "../../browser/storage";
import { Notice } from "../../ui/Notice";

const STORAGE: Record<StorageTrouble, string> = {
  blocked:
    "This browser does not let Gapless store data. Everything works, but reloading signs you out and discards unsent messages.",
  full: "This browser is out of storage space. Anything unsent is lost if you close or reload this page.",
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
                ? "Part of this page could not be loaded. Reload to try again; what you typed is saved."
                : "Part of this page could not be loaded. Trying again…"}
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
