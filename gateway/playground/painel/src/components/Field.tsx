// A text field with its label, and its error below.
import type { ReactNode } from 'react';
import { FieldError, Input, Label, TextField } from 'react-aria-components';

interface Properties {
  label: string;
  value: string;
  onChange: (value: string) => void;
  onBlur?: () => void;
  error?: string | undefined;
  type?: 'text' | 'date' | 'password' | 'search';
  placeholder?: string;
  autoFocus?: boolean;
  children?: ReactNode;
}

export function Field({ label, error, type = 'text', placeholder, children, ...field }: Properties) {
  return (
    <TextField className="field" {...field} type={type} isInvalid={Boolean(error)} validationBehavior="aria">
      <Label>{label}</Label>
      <Input placeholder={placeholder ?? ''} autoComplete="off" />
      {children}
      <FieldError>{error}</FieldError>
    </TextField>
  );
}
