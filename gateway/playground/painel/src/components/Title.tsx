// The heading of a view. It is the document's title too, and has the focus after a change of the path, so that screen
// readers say where the reader is.
import { useEffect, useRef, type ReactNode } from 'react';
import { useNavigationType } from 'react-router';

export function Title({ text, children }: { text: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const opened = useRef(useNavigationType());
  useEffect(() => {
    document.title = `${text} · Painel`;
  }, [text]);
  useEffect(() => {
    if (opened.current === 'PUSH') heading.current?.focus(); // and not when the page itself is opened
  }, []);
  return (
    <div className="title">
      <h1 ref={heading} tabIndex={-1}>
        {text}
      </h1>
      {children}
    </div>
  );
}
