import { Lock } from "lucide-react";
import { type FormEvent, useId, useRef, useState } from "react";
import type { Author, User } from "../../api/gen/types.gen";
import { BlankPage } from "../../ui/BlankPage";
import { Button } from "../../ui/Button";
import { PageHeader } from "../../ui/PageHeader";
import { useNavigate } from "../../ui/router";
import { INPUT_CLASS } from "../../ui/TextField";
import { useTitle } from "../../ui/use-title";
import { outboxOf } from "../composer/current-outbox";
import { useDraft } from "../composer/drafts";
import { MessageField } from "../composer/MessageField";
import { useViewer } from "../session/use-session";
import { PeoplePicker } from "./PeoplePicker";

/** Sends a private message to one or more people, as separate messages. */
export function WritePage() {
  const viewer = useViewer();
  useTitle("New private message");
  if (viewer?.role !== "admin") {
    return (
      <BlankPage page="New private message" icon={Lock} title="Admins only">
        Only admins can start private conversations.
      </BlankPage>
    );
  }
  return <WriteForm viewer={viewer} />;
}

function WriteForm({ viewer }: { viewer: User }) {
  const navigate = useNavigate();
  const [people, setPeople] = useState<readonly Author[]>([]);
  const [text, setText] = useDraft(viewer.id, "direct:several");
  const field = useRef<HTMLTextAreaElement>(null);
  const fieldId = useId();
  const body = text.trim();

  function send(event: FormEvent) {
    event.preventDefault();
    for (const { id } of people) outboxOf(viewer.id).send(`direct:${id}`, body);
    setText("");
    const [only] = people;
    if (people.length === 1 && only) navigate(`/dm/${only.id}`, { state: { username: only.username } });
    else navigate("/dm");
  }

  return (
    <section aria-label="New private message" className="flex min-h-0 flex-1 flex-col">
      <div className="border-t-4 border-private">
        <PageHeader title="New private message" subtitle="Each person gets a separate copy" />
      </div>
      <form onSubmit={send} className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto flex max-w-xl flex-col gap-6 px-5 py-6">
          <PeoplePicker chosen={people} onChange={setPeople} except={viewer.id} />
          <label htmlFor={fieldId} className="flex flex-col gap-1.5 text-sm font-semibold">
            Message
            <MessageField
              ref={field}
              id={fieldId}
              value={text}
              onType={setText}
              grows={false}
              maxLength={4000}
              className={`${INPUT_CLASS} min-h-32 resize-y py-2.5 font-normal`}
            />
          </label>
          <div>
            <Button type="submit" look="private" disabled={people.length === 0 || body === ""}>
              <Lock className="size-4.5" aria-hidden />
              <span>{people.length > 1 ? `Send to ${people.length} people` : "Send privately"}</span>
            </Button>
          </div>
        </div>
      </form>
    </section>
  );
}
