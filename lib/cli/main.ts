#!/usr/bin/env node
// The command line: discrete-descent <command>. Exit codes: 0 done, 1 failed, 2 used wrongly.
import { Command, CommanderError } from 'commander';
import { ArgumentRangeError, ArgumentTypeError } from '../runtime/errors';
import { native } from '../runtime/native';
import { addBench } from './bench';
import { addDmmv } from './dmmv';
import { addDoctor } from './doctor';
import { addFir } from './fir';
import { addMaxSat } from './maxsat';
import { addQuantize } from './quantize';
import { addReport } from './report';
import { addSolve } from './solve';
import { addTomography } from './tomography';
import { addTrain } from './train';
import { UsageError } from './usage';

function program(): Command {
  const command = new Command('discrete-descent')
    .description('minimise discrete and discretised losses with native kernels')
    .version(native.buildInfo().version)
    .showHelpAfterError('(add --help for the options)')
    .exitOverride();
  addFir(command);
  addTomography(command);
  addDmmv(command);
  addQuantize(command);
  addSolve(command);
  addMaxSat(command);
  addTrain(command);
  addReport(command);
  addDoctor(command);
  addBench(command);
  const children = command.commands.flatMap((child) => [child, ...child.commands]);
  for (const child of children) child.exitOverride().showHelpAfterError('(add --help for the options)');
  return command;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has printed its message
  const wrongUse =
    error instanceof UsageError || error instanceof ArgumentRangeError || error instanceof ArgumentTypeError;
  console.error(`discrete-descent: ${error instanceof Error ? error.message : String(error)}`);
  return wrongUse ? 2 : 1;
}

program()
  .parseAsync()
  .catch((error: unknown) => {
    process.exitCode = exitCodeOf(error);
  });
