// A dialog over the page. Escape and a click beside it close it, and the focus returns to where it was.
import type { ReactNode } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';

interface Properties {
  title: string;
  onClose: () => void;
  role?: 'dialog' | 'alertdialog';
  children: ReactNode;
}

export function Window({ title, onClose, role = 'dialog', children }: Properties) {
  return (
    <ModalOverlay className="overlay" isOpen isDismissable={role === 'dialog'} onOpenChange={(open) => open || onClose()}>
      <Modal className="window">
        <Dialog role={role}>
          <Heading slot="title">{title}</Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
