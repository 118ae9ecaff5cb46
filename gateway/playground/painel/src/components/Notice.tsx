// A message about the whole view. Screen readers read it out when it appears.
import type { ReactNode } from 'react';

export function Notice({ kind, children }: { kind: 'info' | 'mistake' | 'conflict' | 'outage'; children: ReactNode }) {
  return (
    <div className={`notice ${kind}`} role={kind === 'info' ? 'status' : 'alert'}>
      {children}
    </div>
  );
}
