import { useEffect, useState } from "react";
import { countAudience } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { Button } from "../../ui/Button";
import { counted } from "../../ui/dates";

interface RoomQuestionProps {
  roomId: string;
  onSend(mentionsRoom: boolean): void;
  onCancel(): void;
}

/** Asks an admin who wrote `@room` whether to notify everybody. */
export function RoomQuestion({ roomId, onSend, onCancel }: RoomQuestionProps) {
  const [people, setPeople] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  useEffect(() => {
    let isShown = true;
    answer(countAudience({ path: { id: roomId } })).then(
      (audience) => isShown && setPeople(audience.people),
      (error: unknown) => isShown && setProblem(sentence(error)),
    );
    return () => {
      isShown = false;
    };
  }, [roomId]);

  if (people === null && problem === null) return null;
  const question =
    people === 0 ? "Nobody was in this room lately." : `Notify ${counted(people ?? 0, "person", "people")}?`;
  return (
    <div role="alert" className="rise flex flex-wrap items-center gap-x-3 gap-y-1 px-3 pb-2 text-sm">
      <span>{problem ?? question}</span>
      {(people ?? 0) > 0 && (
        <Button className="md:min-h-8 md:text-sm" onClick={() => onSend(true)}>
          Notify
        </Button>
      )}
      <Button look="quiet" className="md:min-h-8 md:text-sm" onClick={() => onSend(false)}>
        Send without notifying
      </Button>
      <Button look="quiet" className="md:min-h-8 md:text-sm" onClick={onCancel}>
        Cancel
      </Button>
    </div>
  );
}
