import { Smartphone } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Notice } from "../../ui/Notice";
import { showToast } from "../../ui/Toast";
import { choose, turnOn, useChoice, usePermission } from "./device";
import { isSubscribed, pushTest } from "./push";
import { tellWorker } from "./worker";

/** Time until a new subscription is known here. */
const SUBSCRIBED_MS = 1_500;

export function NotificationSettings() {
  const permission = usePermission();
  const { isOn, preview } = useChoice();
  const [isAsking, setAsking] = useState(false);
  const isActive = isOn && permission === "granted";

  if (permission === "unsupported") return needsInstalling() ? <AppleSteps /> : <Unsupported />;

  async function change(on: boolean) {
    if (!on) return choose({ isOn: false });
    setAsking(true);
    await turnOn();
    setAsking(false);
  }

  return (
    <div className="flex flex-col gap-4">
      <p className="text-muted">
        For mentions, replies and private messages. Every room has its own setting in its header.
      </p>
      {permission === "denied" && (
        <Notice tone="waiting">
          Your browser blocks notifications from this site. Allow them in the browser's settings for this
          site, then come back.
        </Notice>
      )}
      <Switch
        label="Notify me on this device"
        isOn={isActive || isAsking}
        isDisabled={permission === "denied" || isAsking}
        onChange={(on) => void change(on)}
      />
      {isActive && (
        <>
          <Switch label="Show the text of messages" isOn={preview} onChange={(on) => choose({ preview: on })}>
            Otherwise, private messages do not show who wrote them either.
          </Switch>
          <Reach />
          <div>
            <Button look="quiet" onClick={() => void test()}>
              Send a test notification
            </Button>
          </div>
        </>
      )}
    </div>
  );
}

/** By the server if it can reach this browser, so that the whole way is tested; otherwise by the app. */
async function test(): Promise<void> {
  try {
    if (await isSubscribed()) await pushTest();
    else tellWorker({ kind: "notify", notice: TEST });
  } catch (error) {
    showToast({ text: "The test notification could not be sent", detail: sentence(error) });
  }
}

const TEST = { kind: "test", room: null, from: null, text: null, url: "/", tag: "test", pos: 0 } as const;

/** Says whether notifications also arrive while the app is closed. */
function Reach() {
  const [isReached, setReached] = useState<boolean | null>(null);
  useEffect(() => {
    const look = () => void isSubscribed().then(setReached, () => setReached(false));
    look();
    const timer = setTimeout(look, SUBSCRIBED_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="text-sm text-muted">
      <span>
        {isReached
          ? "You are notified even while Gapless is closed."
          : "You are notified while Gapless is open in a tab of this browser."}
      </span>
    </p>
  );
}

interface SwitchProps {
  label: string;
  isOn: boolean;
  isDisabled?: boolean;
  children?: ReactNode;
  onChange(isOn: boolean): void;
}

function Switch({ label, isOn, isDisabled = false, children, onChange }: SwitchProps) {
  return (
    <label className="flex min-h-11 cursor-pointer items-center gap-3 has-disabled:cursor-default">
      <span className="min-w-0 flex-1">
        <span className="block font-semibold">{label}</span>
        {children && <span className="block text-sm text-muted">{children}</span>}
      </span>
      <input
        type="checkbox"
        checked={isOn}
        disabled={isDisabled}
        onChange={() => onChange(!isOn)}
        className="size-5 shrink-0 accent-accent"
      />
    </label>
  );
}

function Unsupported() {
  return (
    <p className="text-muted">
      <span>
        {window.isSecureContext
          ? "This browser cannot show notifications for this site. A private window may be the reason."
          : "Browsers show notifications only for sites that are opened with https."}
      </span>
    </p>
  );
}

/** Safari on phones and tablets has notifications only for apps on the home screen. */
function needsInstalling(): boolean {
  const isPhone = /iP(?:hone|ad|od)/.test(navigator.platform);
  const isTablet = navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1;
  const isInstalled = "standalone" in navigator && navigator.standalone === true;
  return (isPhone || isTablet) && !isInstalled;
}

function AppleSteps() {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="flex flex-col items-start gap-4">
      <p className="text-muted">On this device, notifications work once Gapless is on your home screen.</p>
      <Button look="quiet" onClick={() => setOpen(true)}>
        <Smartphone className="size-4.5" aria-hidden />
        Show me how
      </Button>
      {isOpen && (
        <Dialog title="Add Gapless to your home screen" onClose={() => setOpen(false)}>
          <ol className="flex list-decimal flex-col gap-3 pl-5">
            <li>Tap the Share button of Safari.</li>
            <li>Choose “Add to Home Screen”, then “Add”.</li>
            <li>Open Gapless from the home screen, sign in, and turn on notifications in Settings.</li>
          </ol>
          <div className="mt-5 flex justify-end">
            <Button data-first onClick={() => setOpen(false)}>
              Done
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
