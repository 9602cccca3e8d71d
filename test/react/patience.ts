import { configure } from '@testing-library/react'
import { vi } from 'vitest'

// A loaded machine is slow, and what a test waits for comes all the same.
configure({ asyncUtilTimeout: 10_000 })
vi.setConfig({ testTimeout: 30_000 })
