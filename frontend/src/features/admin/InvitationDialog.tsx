import { Check, Copy, Share2 } from "lucide-react";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { createInvitation } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Notice } from "../../ui/Notice";
import { INPUT_CLASS, TextField } from "../../ui/TextField";

const LIVES = [
  { label: "1 day", seconds: 86_400 },
  { label: "1 week", seconds: 604_800 },
  { label: "30 days", seconds: 2_592_000 },
];

interface InvitationDialogProps {
  onMade(): Promise<unknown>;
  onClose(): void;
}

/** Creates an invitation and shows its link once: the server stores only a digest of the code. */
export function InvitationDialog({ onMade, onClose }: InvitationDialogProps) {
  const [uses, setUses] = useState("1");
  const [seconds, setSeconds] = useState(604_800);
  const [link, setLink] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const lifeId = useId();

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    try {
      const body = { max_uses: Number(uses), expires_in_secs: seconds };
      const { code } = await answer(createInvitation({ body }));
      setLink(`${location.origin}/sign-up?invitation=${code}`);
      await onMade();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  if (link) return <InvitationLink link={link} onClose={onClose} />;
  return (
    <Dialog title="New invitation" onClose={onClose}>
      <form onSubmit={submit} className="flex flex-col gap-5">
        {problem !== null && <Notice tone="danger">{sentence(problem)}</Notice>}
        <TextField
          label="Number of people"
          type="number"
          required
          min={1}
          max={1000}
          step={1}
          autoFocus
          value={uses}
          onChange={(event) => setUses(event.target.value)}
        />
        <div className="flex flex-col gap-1.5">
          <label htmlFor={lifeId} className="text-sm font-semibold text-ink">
            Expires after
          </label>
          <select
            id={lifeId}
            className={INPUT_CLASS}
            value={seconds}
            onChange={(event) => setSeconds(Number(event.target.value))}
          >
            {LIVES.map((life) => (
              <option key={life.seconds} value={life.seconds}>
                {life.label}
              </option>
            ))}
          </select>
        </div>
        <div className="flex justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" isBusy={isBusy}>
            Create invitation
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Time for which a button says that it has copied. */
const COPIED_MS = 2_500;

function InvitationLink({ link, onClose }: { link: string; onClose(): void }) {
  const [isCopied, setCopied] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const fieldId = useId();
  useEffect(() => field.current?.select(), []);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);

  async function copy() {
    field.current?.select();
    // Only secure contexts have the clipboard; the older command works everywhere.
    if (navigator.clipboard) await navigator.clipboard.writeText(link);
    else document.execCommand("copy");
    setCopied(true);
  }

  return (
    <Dialog title="Share this link" onClose={onClose}>
      <div className="flex flex-col gap-5">
        <div className="flex flex-col gap-1.5">
          <label htmlFor={fieldId} className="text-sm font-semibold text-ink">
            Link
          </label>
          {/* Several lines, so that all of the link can be read. */}
          <textarea
            ref={field}
            id={fieldId}
            readOnly
            rows={2}
            aria-describedby={`${fieldId}-note`}
            value={link}
            onFocus={(event) => event.target.select()}
            className={`${INPUT_CLASS} resize-none py-2.5 break-all [field-sizing:content]`}
          />
          <p id={`${fieldId}-note`} className="text-sm text-muted">
            It is shown only once. Anyone who has it can join.
          </p>
        </div>
        <div className="flex flex-wrap justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            Done
          </Button>
          {"share" in navigator && (
            <Button
              look="quiet"
              onClick={() => void navigator.share({ title: "Gapless", url: link }).catch(() => {})}
            >
              <Share2 className="size-4.5" aria-hidden />
              Share
            </Button>
          )}
          <Button onClick={() => void copy()}>
            {isCopied ? (
              <Check className="size-4.5" aria-hidden />
            ) : (
              <Copy className="size-4.5" aria-hidden />
            )}
            <span aria-live="polite">{isCopied ? "Copied" : "Copy link"}</span>
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
