/** What the catalog of one database says about the table and about us. Nothing here is judged. */
export interface Facts {
  /** The same for two connections to one database: its name and when its server started. */
  readonly database: string;
  readonly encoding: string;
  /** The role we are connected as. */
  readonly role: string;
  readonly mayCreateSchema: boolean;
  /** null: there is no such table, or we may not see it. */
  readonly table: TableFacts | null;
}

export interface TableFacts {
  /** Quoted, with its schema, to be put into SQL. */
  readonly sql: string;
  /** pg_class.relkind: r ordinary, p partitioned, v view, m materialized view, f foreign. */
  readonly kind: string;
  /** pg_class.relpersistence: p permanent, u unlogged, t temporary. */
  readonly persistence: string;
  readonly isPartition: boolean;
  readonly parents: readonly string[];
  readonly children: readonly string[];
  readonly owner: string;
  /** Whether our role is the owner's, or a member of it. */
  readonly isOurs: boolean;
  readonly maySelect: boolean;
  readonly rowSecurity: boolean;
  readonly columns: readonly ColumnFacts[];
  readonly uniques: readonly UniqueFacts[];
  /** Foreign keys of other tables that refer to this one. */
  readonly incoming: readonly ForeignKeyFacts[];
  /** Foreign keys of this table. */
  readonly outgoing: readonly ForeignKeyFacts[];
  /** Triggers that are neither Postgres' own nor a move's, and not disabled. */
  readonly triggers: readonly { readonly name: string; readonly calls: string }[];
  readonly rules: readonly string[];
}

export interface ColumnFacts {
  readonly name: string;
  /** Below any domain, without length or precision. */
  readonly type: string;
  /** As the table says it, to be put into SQL. */
  readonly full: string;
  /** pg_type.typtype of the type below any domain: b base, c composite, e enum, p pseudo, r range, m multirange. */
  readonly kind: string;
  /** Type and all types in it: of elements, of fields, of bounds, below domains. */
  readonly madeOf: readonly string[];
  /** For all rows, also for those that were there before somebody said so. */
  readonly notNull: boolean;
  /** Whether only texts of the same bytes are equal by its collation, if it has one. */
  readonly deterministic: boolean;
  readonly hasDefault: boolean;
  /** Computed by the database. */
  readonly generated: boolean;
  /** a: GENERATED ALWAYS AS IDENTITY, d: BY DEFAULT, empty: none. */
  readonly identity: string;
  /** The sequence that gives its default, if it has one. */
  readonly sequence: string | null;
  readonly mayUseSequence: boolean;
}

export interface UniqueFacts {
  readonly name: string;
  readonly isPrimary: boolean;
  readonly isExclusion: boolean;
  readonly isDeferrable: boolean;
  /** Columns of the index; what is an expression is not named here. */
  readonly columns: readonly string[];
  readonly hasExpression: boolean;
}

export interface ForeignKeyFacts {
  readonly name: string;
  /** The table at the other end. */
  readonly table: string;
  readonly columns: readonly string[];
  /** As SQL says it: CASCADE, SET NULL, SET DEFAULT, NO ACTION or RESTRICT. */
  readonly onDelete: string;
  readonly onUpdate: string;
  /** Its definition, to be written again without what is wrong with it. */
  readonly definition: string;
}
