import type { ComponentProps } from "react";
import { EmptyState } from "./EmptyState";
import { PageHeader } from "./PageHeader";

/** A page with nothing to show but a sentence; the header keeps the way out within reach on a phone. */
export function BlankPage({ page, ...rest }: { page: string } & ComponentProps<typeof EmptyState>) {
  return (
    <>
      <PageHeader title={page} />
      <EmptyState {...rest} />
    </>
  );
}
