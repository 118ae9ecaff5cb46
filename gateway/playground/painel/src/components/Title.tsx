// The heading of a view. It is the document's title too, and has the focus after a change of the path, so that screen
// readers say where the reader is.
import { useEffect, useRef, type ReactNode } from 'react';
import { useLocation, useNavigationType } from 'react-router';

export function Title({ text, children }: { text: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { key } = useLocation();
  const opened = useRef(key);
  const came = useNavigationType();
  useEffect(() => {
    document.title = `${text} · Painel`;
  }, [text]);
  useEffect(() => {
    if (opened.current !== 'default' && came === 'PUSH') heading.current?.focus();
  }, [came]);
  return (
    <div className="title">
      <h1 ref={heading} tabIndex={-1}>
        {text}
      </h1>
      {children}
    </div>
  );
}
