// What somebody types, once they have paused.
import { useEffect, useState } from 'react';

const PAUSE = 300; // milliseconds

export function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
