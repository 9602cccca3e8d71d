import { type ChildProcess, fork } from 'node:child_process'
import type * as worker from './worker.ts'

/** A worker that answers one request at a time, and is ended when it takes too long. */
export class WorkerProcess<
  Request extends object = worker.Request,
  Reply extends { readonly kind: string } = worker.Reply,
> {
  #child: ChildProcess
  #exited = false

  constructor(file = 'worker.ts') {
    this.#child = fork(new URL(file, import.meta.url), {
      execArgv: ['--expose-gc', '--max-old-space-size=3072', '--import', 'tsx'],
      env: { ...process.env, NODE_ENV: 'production' },
      // What the engines print (notices, warnings) is no part of the table; what goes wrong comes back as a reply.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.once('exit', () => {
      this.#exited = true
    })
  }

  /** Resolves to the reply, or to undefined when none came within `limitMs`; the worker is gone then. */
  ask(request: Request, limitMs: number): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      let complaint = ''
      const listen = (chunk: Buffer): void => {
        complaint = (complaint + chunk.toString()).slice(-2_000)
      }
      const settle = (): void => {
        clearTimeout(timer)
        this.#child.off('message', onReply).off('exit', onExit)
        this.#child.stderr?.off('data', listen)
      }
      const onReply = (reply: Reply & { readonly error?: string }): void => {
        settle()
        if (reply.kind === 'failed') reject(new Error(reply.error))
        else resolve(reply)
      }
      const onExit = (code: number | null): void => {
        settle()
        reject(new Error(`The worker exited with code ${code}.\n${complaint}`))
      }
      const timer = setTimeout(() => {
        settle()
        this.end()
        resolve(undefined)
      }, limitMs)
      this.#child.on('message', onReply).on('exit', onExit)
      this.#child.stderr?.on('data', listen)
      this.#child.send(request)
    })
  }

  end(): void {
    if (!this.#exited) this.#child.kill('SIGKILL')
  }
}
