import { dayName } from "../../ui/dates";

export function DayRow({ date }: { date: Date }) {
  return (
    <div className="thread grid grid-cols-[3.75rem_1fr] items-center pt-5 pb-2">
      <span className="relative mx-auto size-2.5 rounded-full border-2 border-ground bg-edge" aria-hidden />
      {/* The text of a `time` element is not part of the heading's name. */}
      <h3 aria-label={dayName(date)} className="text-xs font-bold tracking-wide text-muted">
        <time dateTime={date.toISOString()}>{dayName(date)}</time>
      </h3>
    </div>
  );
}

export function NewRow() {
  return (
    <div className="thread grid grid-cols-[3.75rem_1fr] items-center py-2 pr-4">
      <span className="relative mx-auto size-2.5 rounded-full border-2 border-ground bg-accent" aria-hidden />
      <div className="flex items-center gap-3 text-xs font-bold text-accent">
        New
        <span className="h-px flex-1 bg-accent opacity-40" />
      </div>
    </div>
  );
}

const WIDTHS = ["w-3/5", "w-4/5", "w-2/5", "w-1/2", "w-2/3"];

export function TimelineSkeleton() {
  return (
    <div
      role="status"
      aria-label="Loading messages"
      className="flex min-h-0 flex-1 flex-col justify-end overflow-hidden pb-4"
    >
      {WIDTHS.map((width) => (
        <div key={width} aria-hidden className="thread grid grid-cols-[3.75rem_1fr] py-3">
          <span className="relative mx-auto rounded-full bg-ground">
            <span className="skeleton block size-9 rounded-full" />
          </span>
          <span className="flex flex-col gap-2 pt-1 pr-6">
            <span className="skeleton h-3 w-28" />
            <span className={`skeleton h-3 max-w-xl ${width}`} />
          </span>
        </div>
      ))}
    </div>
  );
}
