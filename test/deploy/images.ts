import { read } from './source.ts';

/** A stage of the Dockerfile, with what it has from those that it is made from. */
export interface Stage {
  /** Paths of the repository that are copied, each to the same place. */
  readonly copied: readonly string[];
  /** Workspaces whose packages are installed. */
  readonly workspaces: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  readonly user: string | null;
  readonly command: readonly string[];
  readonly health: string | null;
}

const EMPTY: Stage = {
  copied: [],
  workspaces: [],
  env: {},
  ports: [],
  user: null,
  command: [],
  health: null,
};

/** All stages by name. The file is ours, so the little is read of the language that it uses: an instruction a line. */
export function stages(): ReadonlyMap<string, Stage> {
  const found = new Map<string, Stage>();
  let name = '';
  for (const line of read('Dockerfile').split('\n')) {
    const [, keyword = '', text = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    const words = text.split(' ');
    if (keyword === 'FROM') {
      name = words[2]!;
      found.set(name, found.get(words[0]!) ?? EMPTY);
    } else if (keyword !== '') {
      const stage = found.get(name)!;
      found.set(name, { ...stage, ...change(keyword, text, words, stage, found) });
    }
  }
  return found;
}

function change(
  keyword: string,
  text: string,
  words: readonly string[],
  stage: Stage,
  all: ReadonlyMap<string, Stage>,
): Partial<Stage> {
  switch (keyword) {
    case 'COPY': {
      const from = /^--from=(\S+) \/app \/app$/.exec(text)?.[1];
      const other = from === undefined ? { copied: words.slice(0, -1), workspaces: [] } : all.get(from)!;
      return {
        copied: [...stage.copied, ...other.copied],
        workspaces: [...stage.workspaces, ...other.workspaces],
      };
    }
    case 'RUN': {
      const named = words.flatMap((word) => /^--workspace=(.+)$/.exec(word)?.[1] ?? []);
      return { workspaces: [...stage.workspaces, ...named] };
    }
    case 'ENV':
      return {
        env: {
          ...stage.env,
          ...Object.fromEntries(words.map((word) => word.split('=', 2) as [string, string])),
        },
      };
    case 'EXPOSE':
      return { ports: words.map(Number) };
    case 'USER':
      return { user: text };
    case 'CMD':
      return { command: JSON.parse(text) as string[] };
    case 'HEALTHCHECK':
      return { health: text };
    default:
      return {};
  }
}
