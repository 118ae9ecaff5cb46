// What is shown instead of a view that failed to render.
import { Component, type ReactNode } from 'react';
import { Notice } from './Notice.tsx';

interface Properties {
  children: ReactNode;
}

export class Broken extends Component<Properties, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <Notice kind="mistake">
        Esta página tem um defeito e não pôde ser mostrada. <a href="/painel">Recarregar o painel</a>
      </Notice>
    );
  }
}
