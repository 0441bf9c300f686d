import { MemoryStorage } from '../../src/ledger/storage/memory.ts';
import { storageConformance } from './storage.ts';

storageConformance('memory', () => new MemoryStorage());
