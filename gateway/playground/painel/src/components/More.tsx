// The end of a list: what comes next is fetched when this comes into view, or when the button is pressed.
import { useEffect, useRef } from 'react';
import { Button } from 'react-aria-components';

interface Properties {
  more: boolean;
  loading: boolean;
  onMore: () => void;
}

export function More({ more, loading, onMore }: Properties) {
  const end = useRef<HTMLDivElement>(null);
  const fetchMore = useRef(onMore);
  useEffect(() => {
    fetchMore.current = onMore;
  });
  useEffect(() => {
    if (!more || loading || !end.current) return undefined;
    const watching = new IntersectionObserver(([seen]) => seen?.isIntersecting && fetchMore.current(), {
      rootMargin: '200px',
    });
    watching.observe(end.current);
    return () => watching.disconnect();
  }, [more, loading]);
  return (
    <div ref={end} className="more">
      {more ? (
        <Button onPress={onMore} isDisabled={loading}>
          {loading ? 'Carregando…' : 'Carregar mais'}
        </Button>
      ) : null}
    </div>
  );
}
